/** A release as the changelog names it. */
export interface Release {
  readonly version: string;
  /** 40 hexadecimal digits. */
  readonly commit: string;
}

/** Releases of a changelog, newest first: sections `## <version>` that say "Commit `<40 hexadecimal digits>`". One without a commit is not released yet. */
export function releasesOf(changelog: string): readonly Release[] {
  return changelog.split(/^## /m).flatMap((section) => {
    const version = /^(\d+\.\d+\.\d+)\b/.exec(section)?.[1];
    const commit = /\bCommit `([0-9a-f]{40})`/.exec(section)?.[1];
    return version === undefined || commit === undefined ? [] : [{ version, commit }];
  });
}
