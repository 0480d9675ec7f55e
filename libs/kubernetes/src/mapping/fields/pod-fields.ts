/** What becomes of each field of a pod's spec: the table that the mapping reads by, and that docs/operators/pod-fields.md shows. */
import { container, hardening, initContainer, resources } from './container-fields.ts';
import { flag, ignored, integer, list, object, refused, required, settled, text, type ValueOf } from './field.ts';
import { volume } from './volume-fields.ts';

const scheduling = 'The cluster’s scheduler has already acted on it.';

const podSecurityContext = object({
  runAsUser: integer('For every container that states none.'),
  runAsGroup: integer('For every container that states none; not for init containers, where ECI has no such field.'),
  runAsNonRoot: flag('For every container that states none.'),
  fsGroup: integer(
    'ECI cannot set the group of files; instead the files of volumes may be read by every user of the pod.',
  ),
  fsGroupChangePolicy: ignored('ECI changes the owner of no files.'),
  sysctls: list(object({ name: required(text()), value: required(text()) }), 'Those that ECI allows.'),
  supplementalGroups: refused('ECI cannot give a process more groups; use runAsGroup'),
  supplementalGroupsPolicy: ignored('There are no supplemental groups on ECI.'),
  seLinuxChangePolicy: ignored('ECI has no SELinux.'),
  ...hardening,
});
export type PodSecurityContext = ValueOf<typeof podSecurityContext>;

export const podSpec = object({
  containers: required(list(container)),
  initContainers: list(initContainer),
  ephemeralContainers: settled(
    'ECI cannot add containers to a running group: kubectl debug is answered with a container that has ended, and says why. The pod runs on.',
  ),
  volumes: list(volume),
  restartPolicy: text(),
  terminationGracePeriodSeconds: integer(),
  activeDeadlineSeconds: integer(),
  dnsPolicy: text(
    'ClusterFirst becomes the cluster’s DNS servers and search list; without a known cluster DNS it acts as Default.',
  ),
  dnsConfig: object({
    nameservers: list(text()),
    searches: list(text()),
    options: list(object({ name: required(text()), value: text() })),
  }),
  hostAliases: list(object({ ip: required(text()), hostnames: list(text()) })),
  hostname: text('Else the pod’s name, cut to 63 characters.'),
  shareProcessNamespace: flag(),
  securityContext: podSecurityContext,
  imagePullSecrets: list(
    object({ name: text() }),
    'Types dockerconfigjson and dockercfg; those of the service account too. One that is missing or holds no credentials is skipped with a warning event.',
  ),
  resources: { ...resources, note: 'Resources of the whole pod set the size, where stated.' },
  priority: integer('Order among the waiting pods of one cluster; nothing is evicted for it.'),

  nodeName: settled(scheduling),
  nodeSelector: settled(scheduling),
  affinity: settled(scheduling),
  tolerations: settled(scheduling),
  topologySpreadConstraints: ignored(
    `${scheduling} A virtual node that stands for several zones has no zone label: DoNotSchedule over zones never fits it, which an event says.`,
  ),
  schedulerName: settled(scheduling),
  schedulingGates: settled(scheduling),
  priorityClassName: settled('Its number is in priority.'),
  preemptionPolicy: settled('Nothing is evicted for a pod on ECI.'),
  overhead: settled('The scheduler’s book-keeping; ECI has its own.'),
  runtimeClassName: ignored('ECI has one runtime: each group is a virtual machine of its own.'),
  enableServiceLinks: settled('The agent has acted on it: it sends the service variables that apply.'),
  serviceAccountName: settled('Its token comes as a projected volume.'),
  serviceAccount: settled('Old name of serviceAccountName.'),
  automountServiceAccountToken: settled('The API server has acted on it: it adds the token as a projected volume.'),
  subdomain: ignored('DNS names come from the cluster as usual; only /etc/hosts of the pod lacks the long name.'),
  evictionResponders: settled('Who answers evictions is the cluster’s own matter.'),
  hostUsers: settled('Each group is a virtual machine of its own.'),
  workloadRef: settled(scheduling),
  schedulingGroup: settled(scheduling),

  os: refused(
    'only Linux containers are supported',
    (value) => typeof value === 'object' && value !== null && 'name' in value && value.name === 'linux',
  ),
  hostNetwork: refused('ECI has no host network: the pod has an address of its own in your VPC'),
  hostPID: refused('ECI has no host whose processes could be seen'),
  hostIPC: refused('ECI has no host whose memory could be shared'),
  setHostnameAsFQDN: refused('ECI sets the short name as host name only; remove it'),
  hostnameOverride: refused('is not supported yet; use hostname'),
  readinessGates: refused('readiness gates are not supported yet; remove them'),
  resourceClaims: refused('ECI has no dynamic resource allocation; remove resourceClaims'),
});
export type PodSpec = ValueOf<typeof podSpec>;
