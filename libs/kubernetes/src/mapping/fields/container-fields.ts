/** What becomes of each field of a container. */
import {
  type Field,
  flag,
  ignored,
  integer,
  list,
  mapOf,
  object,
  port,
  quantity,
  refused,
  required,
  settled,
  text,
  type ValueOf,
} from './field.ts';

const keySelector = object({ name: text(), key: required(text()), optional: flag() });
export const fieldRef = object({ apiVersion: settled('Only v1 exists.'), fieldPath: required(text()) });
export const resourceFieldRef = object({
  containerName: text(),
  resource: required(text('limits or requests of cpu, memory and ephemeral-storage; the container must state it.')),
  divisor: quantity(),
});

const env = object({
  name: required(text('Letters, digits and _, at most 128 characters.')),
  value: text('$(VAR) and $$ are expanded as the kubelet does; at most 256 characters after that.'),
  valueFrom: object({
    configMapKeyRef: keySelector,
    secretKeyRef: keySelector,
    fieldRef,
    resourceFieldRef,
    fileKeyRef: refused('env from a file of a volume is not supported on ECI; use a ConfigMap or Secret key'),
  }),
});

const envFrom = object({
  prefix: text(),
  configMapRef: object({ name: text(), optional: flag() }),
  secretRef: object({ name: text(), optional: flag() }),
});

const httpGet = <H extends Field<string> | Field<never>>(host: H, httpHeaders: Field<never>) =>
  object({
    path: text(),
    port: required(port('Names are resolved.')),
    scheme: text('HTTP or HTTPS.'),
    host,
    httpHeaders,
    protocol: refused('ECI asks by HTTP/1.1 only; remove protocol', (value) => value === 'HTTP' || value === 'HTTP1'),
  });
const exec = object({ command: list(text()) });

const probe = object({
  httpGet: httpGet(
    refused('probes of ECI always ask the pod itself; remove host'),
    refused('probes of ECI cannot send headers; remove httpHeaders or use an exec probe'),
  ),
  tcpSocket: object({
    port: required(port()),
    host: refused('probes of ECI always ask the pod itself; remove host'),
  }),
  exec,
  grpc: refused('ECI has no grpc probe; use a tcpSocket or an exec probe'),
  initialDelaySeconds: integer(),
  periodSeconds: integer(),
  timeoutSeconds: integer(),
  failureThreshold: integer(),
  successThreshold: integer('Only 1: ECI takes no other value.'),
  terminationGracePeriodSeconds: refused(
    'ECI has no grace period of a probe; remove it, the grace period of the pod holds',
  ),
});
export type Probe = ValueOf<typeof probe>;

const handler = object({
  exec,
  httpGet: httpGet(
    text(),
    refused('headers of a lifecycle hook are not supported yet; remove httpHeaders or use exec'),
  ),
  tcpSocket: object({ port: required(port()), host: text() }),
  sleep: object({ seconds: required(integer('Runs `sleep <seconds>` in the container, which needs that program.')) }),
});
export type LifecycleHandler = ValueOf<typeof handler>;

const isDefaultOrEmpty = (name: string) => (value: unknown) => value === name;
const profileIsUsual = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  'type' in value &&
  (value.type === 'RuntimeDefault' || value.type === 'Unconfined');

/** Hardening for which ECI has no field. Every group is a virtual machine of its own, so what runs stays the same. */
export const hardening = {
  seLinuxOptions: ignored('ECI has no SELinux; each group is a virtual machine of its own.'),
  seccompProfile: refused('ECI cannot load a seccomp profile of a node; use RuntimeDefault', profileIsUsual),
  appArmorProfile: refused('ECI cannot load an AppArmor profile of a node; use RuntimeDefault', profileIsUsual),
  windowsOptions: refused('Windows containers are not supported'),
} as const;

const securityContext = object({
  runAsUser: integer(),
  runAsGroup: integer('Not for init containers: ECI has no such field there.'),
  runAsNonRoot: flag('For init containers it is not checked: ECI has no such field there.'),
  readOnlyRootFilesystem: flag(),
  capabilities: object({
    add: list(text(), 'NET_ADMIN and NET_RAW (NET_RAW needs a ticket with Alibaba Cloud).'),
    drop: ignored('ECI cannot drop capabilities; each group is a virtual machine of its own.'),
  }),
  privileged: refused('ECI runs no privileged containers; ask for the capability NET_ADMIN if that is what is needed'),
  allowPrivilegeEscalation: ignored('ECI has no such setting; each group is a virtual machine of its own.'),
  procMount: refused('ECI always mounts /proc as usual; remove procMount', isDefaultOrEmpty('Default')),
  ...hardening,
});
export type SecurityContext = ValueOf<typeof securityContext>;

export const resources = object({
  limits: mapOf(quantity(), 'The limit counts; else the request.'),
  requests: mapOf(quantity(), 'Counts where there is no limit.'),
  claims: refused('ECI has no dynamic resource allocation; remove claims'),
});
export type Resources = ValueOf<typeof resources>;

const base = {
  name: required(text()),
  image: required(text()),
  imagePullPolicy: text(),
  command: list(
    text(),
    '$(VAR) and $$ are expanded. Items beyond 20, or longer than 256 characters, travel as args, which comes to the same.',
  ),
  args: list(text(), '$(VAR) and $$ are expanded.'),
  workingDir: text(),
  env: list(env),
  envFrom: list(
    envFrom,
    'Keys that cannot be a name on ECI (letters, digits, _; not a digit first) are left out with a warning event, as kubelets did before Kubernetes took such names; env with such a name is refused.',
  ),
  resources,
  resizePolicy: settled('Running groups cannot be resized; the API server refuses it by itself.'),
  ports: list(
    object({
      name: text(),
      containerPort: required(integer('1–65535 without 111, 10250 and 10255, which ECI uses itself.')),
      protocol: text('TCP or UDP.'),
      hostPort: refused('ECI has no host ports: the pod has an address of its own; use a Service of type LoadBalancer'),
      hostIP: ignored('There is no host port that it could belong to.'),
    }),
  ),
  volumeMounts: list(
    object({
      name: required(text()),
      mountPath: required(text()),
      subPath: text(),
      subPathExpr: text('Expanded before the group is created.'),
      readOnly: flag(),
      mountPropagation: text(),
      bindMountOptions: refused('ECI has no such mount options; remove it'),
      recursiveReadOnly: refused('ECI has no recursive read-only mounts; remove it', isDefaultOrEmpty('Disabled')),
    }),
  ),
  volumeDevices: refused('ECI has no raw block volumes'),
  securityContext,
  terminationMessagePath: text(),
  terminationMessagePolicy: text(),
  restartPolicyRules: refused('ECI has one restart policy for the pod; remove restartPolicyRules'),
} as const;

const onlyInContainers = 'has no equivalent for init containers on ECI; make it a container of the pod';

export const initContainer = object({
  ...base,
  restartPolicy: refused(
    'ECI has no sidecar init containers: make it a container of the pod; a restart policy of one container is not supported',
  ),
  livenessProbe: refused(onlyInContainers),
  readinessProbe: refused(onlyInContainers),
  startupProbe: refused(onlyInContainers),
  lifecycle: refused(onlyInContainers),
  stdin: refused(onlyInContainers),
  stdinOnce: refused(onlyInContainers),
  tty: refused(onlyInContainers),
});
export type InitContainer = ValueOf<typeof initContainer>;

export const container = object({
  ...base,
  restartPolicy: refused('ECI has one restart policy for the pod; remove it from the container'),
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: {
    ...probe,
    note: 'ECI has none. Approximated: liveness waits as long as the startup probe would at most, and without a readiness probe the startup probe takes its place. Refused without a livenessProbe.',
  },
  lifecycle: object({
    postStart: handler,
    preStop: handler,
    stopSignal: refused('ECI always stops with the signal of the image; remove stopSignal'),
  }),
  stdin: flag(),
  stdinOnce: flag(),
  tty: flag(),
});
export type Container = ValueOf<typeof container>;
