import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { prepared, rigKey, rigsFolder } from '../preparing/cache.ts';
import { terminalProgress, type Progress } from '../preparing/progress.ts';
import { RigUnavailable } from '../preparing/rig-unavailable.ts';
import { runTool } from '../preparing/tool.ts';
import { repositoryFolder } from '../repository.ts';

const KUBERNETES_PARTS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'] as const;
type KubernetesPart = (typeof KUBERNETES_PARTS)[number];

/** Path of each program. */
type KubernetesPrograms = Readonly<Record<KubernetesPart, string>>;

/** Where the built programs are, or will be; laid out as envtest does. */
async function kubernetesFolder(): Promise<string> {
  const { inputs, version } = await declared();
  return join(rigsFolder(), rigKey('kubernetes', version, inputs));
}

/**
 * The programs of a control plane: those in KUBEBUILDER_ASSETS win, the rest (envtest ships neither scheduler nor controller-manager) is
 * built with Go if the cache lacks it: about seven minutes on two cores, once.
 */
export async function prepareKubernetes(progress: Progress = terminalProgress): Promise<KubernetesPrograms> {
  const own = process.env['KUBEBUILDER_ASSETS'];
  if (own && !existsSync(join(own, 'kube-apiserver'))) {
    throw new RigUnavailable(`KUBEBUILDER_ASSETS is ${own}, where no kube-apiserver is: correct it, or unset it.`);
  }
  if (own && KUBERNETES_PARTS.every((part) => existsSync(join(own, part)))) return programs(own, own);
  const target = await kubernetesFolder();
  await prepared({ target, name: 'kubernetes', progress, build: (folder) => build(folder, progress) });
  return programs(join(target, 'bin'), own);
}

/** True when {@link prepareKubernetes} would have nothing to build. */
export async function kubernetesIsPrepared(): Promise<boolean> {
  const own = process.env['KUBEBUILDER_ASSETS'];
  if (own && KUBERNETES_PARTS.every((part) => existsSync(join(own, part)))) return true;
  return existsSync(await kubernetesFolder());
}

function programs(built: string, own: string | undefined): KubernetesPrograms {
  const pathOf = (part: KubernetesPart): string =>
    own && existsSync(join(own, part)) ? join(own, part) : join(built, part);
  return {
    etcd: pathOf('etcd'),
    'kube-apiserver': pathOf('kube-apiserver'),
    'kube-controller-manager': pathOf('kube-controller-manager'),
    'kube-scheduler': pathOf('kube-scheduler'),
    kubectl: pathOf('kubectl'),
  };
}

async function build(folder: string, progress: Progress): Promise<void> {
  const { version } = await declared();
  const [major, minor] = version.split('.');
  // Without these the server calls itself v0.0.0-master, and clients complain.
  const stamp = (name: string, value: string): string => `-X k8s.io/component-base/version.${name}=${value}`;
  const flags = ['-s', '-w', stamp('gitVersion', `v${version}`), stamp('gitMajor', major!), stamp('gitMinor', minor!)];
  await progress.during(
    `kubernetes: building the control plane ${version} with Go (about 7 minutes on two cores, once)`,
    async () => {
      await runTool({
        command: 'go',
        args: ['build', '-mod=readonly', '-trimpath', `-ldflags=${flags.join(' ')}`, '-o', join(folder, 'all'), '.'],
        cwd: declaration(),
        remedy:
          'install Go (1.26 or newer) to build the Kubernetes control plane, or set KUBEBUILDER_ASSETS to a folder that ' +
          `holds ${KUBERNETES_PARTS.join(', ')}`,
      });
    },
  );
  await mkdir(join(folder, 'bin'));
  for (const part of KUBERNETES_PARTS) await symlink(join('..', 'all'), join(folder, 'bin', part));
}

async function declared(): Promise<{ version: string; inputs: Record<string, string> }> {
  const inputs: Record<string, string> = {};
  for (const file of ['go.mod', 'go.sum', 'main.go']) inputs[file] = await readFile(join(declaration(), file), 'utf8');
  const version = /k8s\.io\/kubernetes v([\d.]+)/.exec(inputs['go.mod']!)?.[1];
  if (version === undefined) throw new Error(`no version of Kubernetes found in ${join(declaration(), 'go.mod')}`);
  return { version, inputs };
}

function declaration(): string {
  return join(repositoryFolder, 'test', 'rigs', 'kubernetes');
}
