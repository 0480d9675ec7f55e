import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepared } from '../preparing/cache.ts';
import { terminalProgress, type Progress } from '../preparing/progress.ts';
import { RigUnavailable } from '../preparing/rig-unavailable.ts';
import { runTool } from '../preparing/tool.ts';
import { repositoryFolder } from '../repository.ts';
import { releasesOf, type Release } from './changelog.ts';

interface BuiltRelease extends Release {
  /** Its root: `dist/services/control-plane/src/main.js` and `dist/services/agent/src/main.js` are below. */
  readonly folder: string;
}

/**
 * The newest release of CHANGELOG.md, built from its commit (about 15 s, once a checkout), to run beside the sources of today. It takes the
 * packages of this checkout: it lies in `dist/releases`, from where Node finds them.
 */
export async function prepareLastRelease(progress: Progress = terminalProgress): Promise<BuiltRelease> {
  const [release] = releasesOf(readFileSync(join(repositoryFolder, 'CHANGELOG.md'), 'utf8'));
  if (!release) throw new RigUnavailable('CHANGELOG.md names no release: a section needs "Commit `<40 digits>`".');
  const { version, commit } = release;
  const target = join(repositoryFolder, 'dist', 'releases', `${version}-${commit.slice(0, 12)}`);
  const folder = await prepared({
    target,
    name: 'last release',
    progress,
    build: (empty) =>
      progress.during(`last release: building ${version} from its commit`, async () => {
        unpack(commit, empty);
        await runTool({
          command: join(repositoryFolder, 'node_modules', '.bin', 'nest'),
          args: ['build'],
          cwd: empty,
          remedy: 'run npm ci first',
        });
      }),
  });
  return { ...release, folder };
}

/** The sources of a commit, without those of tests. */
function unpack(commit: string, folder: string): void {
  const files = [
    'package.json',
    'nest-cli.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'services',
    'libs',
    'migrations',
  ];
  let archive: Buffer;
  try {
    archive = execFileSync('git', ['archive', commit, '--', ...files], {
      cwd: repositoryFolder,
      maxBuffer: 256 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    throw new RigUnavailable(
      `The commit ${commit} of the last release is not in this clone: fetch the whole history (git fetch --unshallow).`,
      { cause: error },
    );
  }
  execFileSync('tar', ['-x', '-C', folder], { input: archive });
}
