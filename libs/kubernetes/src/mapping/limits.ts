/** Limits of one container group, in one place. Source: ECI docs (limits page) and the API's own metadata; none could be tried on the real thing. */
export const LIMITS = {
  containers: 20,
  volumes: 20,
  filesPerVolume: 90,
  fileBytes: 32 * 1024,
  commandItems: 20,
  commandItemChars: 256,
  /** The text of the documentation says 10; the schema takes 101, and real pods need more than 10. ECI's own refusal would reject the pod. */
  argItems: 101,
  envPerContainer: 241,
  envNameChars: 128,
  /** Documented; whether ECI enforces it is not known. */
  envValueChars: 256,
  imageChars: 255,
  ports: 101,
  mounts: 101,
  probeCommandItems: 20,
  vSwitches: 10,
  securityGroups: 5,
  customTags: 3,
  tagKeyChars: 64,
  tagValueChars: 128,
  registryCredentials: 10,
  dnsEntries: 20,
  hostAliases: 101,
  hostnamesPerAlias: 51,
  sysctls: 101,
  ephemeralStorageGiB: 5000,
  /** Included in every group; `ephemeralStorageGiB` comes on top. */
  includedStorageGiB: 30,
} as const;

/** Used by ECI itself inside the group for exec, logs and metrics. */
export const RESERVED_PORTS: ReadonlySet<number> = new Set([111, 10250, 10255]);
