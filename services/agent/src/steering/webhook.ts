import { pemKeyFault } from '#libs/keys';
import { isNotFound, Reflector, resources, type KubernetesApi, type KubernetesObject } from '#libs/kubernetes';
import type { Logger, Metrics } from '#libs/observability';
import { Loop, type Clock, type Random } from '#libs/runtime';
import { caFault, readTlsFiles } from '#libs/transport';
import type { EciProfile } from '../profile/profile.ts';
import type { Labels } from '../profile/selectors.ts';
import { AdmissionServer, type AdmissionRequest } from './admission-server.ts';
import { NamespaceLabels } from './namespace-labels.ts';
import { register, registrationOf, type RegistrationTarget } from './registration.ts';
import { steer, type NewPod, type SteeringRules } from './steer.ts';
import { CertificateKeeper, type ServingCertificate } from './webhook-certificate.ts';
import type { WebhookConfig } from './variables.ts';

interface WebhookOptions {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly config: WebhookConfig;
  readonly namespace: string;
  readonly nodeName: string;
  readonly taint: SteeringRules['taint'];
  readonly profile: () => EciProfile;
}

const CHECK_MS = 30_000;

/**
 * Serves `/mutate` and keeps itself registered. Whatever goes wrong the answer is "allowed": a pod that is not steered runs on other nodes or
 * stays pending, a webhook that refuses stops a cluster.
 */
export class Webhook {
  private readonly options: WebhookOptions;
  private readonly loop: Loop;
  private readonly copy: Reflector<KubernetesObject>;
  private readonly byName = new Map<string, Labels>();
  private readonly namespaces: NamespaceLabels;
  private server: AdmissionServer | undefined;
  private serving: ServingCertificate | undefined;
  private servingCa: string | undefined;
  private registered_ = false;

  constructor(options: WebhookOptions) {
    this.options = options;
    const { api, clock, random, logger } = options;
    this.copy = new Reflector<KubernetesObject>({
      api,
      clock,
      random,
      resource: resources.namespaces,
      onChange: ({ kind, object: { metadata } }) => {
        if (kind === 'deleted') this.byName.delete(metadata.name);
        else this.byName.set(metadata.name, metadata.labels ?? {});
      },
      onError: (error, failures) => {
        if (failures === 1)
          logger.warn('namespaces cannot be followed, so each is asked for: may the agent list and watch them?', {
            error,
          });
      },
    });
    this.namespaces = new NamespaceLabels({
      clock,
      known: (name) => this.byName.get(name),
      ask: async (name) => {
        try {
          const place = { name };
          const { metadata } = await api.get(resources.namespaces, place, { priority: 'high', timeoutMs: 3_000 });
          return metadata.labels ?? {};
        } catch (error) {
          if (isNotFound(error)) return undefined;
          throw error;
        }
      },
    });
    this.loop = new Loop({
      name: 'webhook',
      clock: options.clock,
      random: options.random,
      idleMs: CHECK_MS,
      step: async () => {
        await this.keep();
        return 'idle';
      },
      onError: (error, failures) => {
        if (failures === 1 || failures % 10 === 0) options.logger.warn('the steering webhook is not ready', { error });
      },
    });
  }

  start(): void {
    this.copy.start();
    this.loop.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.loop.stop(), this.copy.stop()]);
    await this.server?.close();
  }

  /** Looks at the registration now: the selectors have changed. */
  nudge(): void {
    this.loop.nudge();
  }

  get registered(): boolean {
    return this.registered_;
  }

  private async keep(): Promise<void> {
    const { api, clock, config, namespace, nodeName, profile, logger } = this.options;
    const service = { namespace, name: config.service };
    // A port that was left to the system is known only after listening, so its URL is made then.
    await this.listen(await this.certificate(), this.clientCa());
    const url = config.url?.replace(/:0(?=\/|$)/, `:${this.server!.port}`);
    const target: RegistrationTarget = { url, service, nodeName };
    const written = await register(api, registrationOf(target, this.serving!.ca, profile().selectors));
    if (written)
      logger.info('registered the steering webhook', { at: clock.now(), url: url ?? `service ${service.name}` });
    this.registered_ = true;
  }

  private async certificate(): Promise<ServingCertificate> {
    const { api, clock, config, namespace } = this.options;
    if (config.given) return givenCertificate(config.given);
    const { service, url } = config;
    const names = [`${service}.${namespace}.svc`, `${service}.${namespace}.svc.cluster.local`];
    const hosts = url === undefined ? names : [new URL(url).hostname.replace(/^\[|\]$/g, ''), ...names];
    return await new CertificateKeeper({ api, clock, namespace, hosts }).current();
  }

  /** Undefined: anybody may call. */
  private clientCa(): string | undefined {
    const { clients } = this.options.config;
    if (clients === undefined) return undefined;
    const { ca = '' } = readTlsFiles({ caFile: clients.caFile });
    const fault = caFault(ca);
    if (fault !== undefined) throw new Error(`WEBHOOK_CLIENT_CA_FILE: ${fault}`);
    return ca;
  }

  private async listen(certificate: ServingCertificate, clientCa: string | undefined): Promise<void> {
    const { clock, logger, config } = this.options;
    const { host, port, clients } = config;
    if (!this.server) {
      this.server = await AdmissionServer.listen({
        host,
        port,
        clients: clients && clientCa !== undefined ? { ca: clientCa, names: clients.names } : undefined,
        certificate,
        clock,
        logger,
        count: (outcome) => this.count(outcome),
        review: (request) => this.review(request),
      });
    } else if (this.serving?.cert !== certificate.cert || this.servingCa !== clientCa) {
      this.server.renew(certificate, clientCa);
      logger.info('the certificates of the steering webhook were renewed');
    }
    this.serving = certificate;
    this.servingCa = clientCa;
  }

  private async review(request: AdmissionRequest): Promise<Record<string, unknown>> {
    const { taint, profile } = this.options;
    const labels = await this.namespaces.of(request.namespace ?? '');
    const steered = steer((request.object ?? {}) as NewPod, labels, { taint, selectors: profile().selectors });
    this.count(steered.kind);
    switch (steered.kind) {
      case 'not-ours':
        return {};
      case 'conflict':
        return { warnings: [`eci-fleet: ${steered.reason}`] };
      case 'steered':
        if (steered.patch.length === 0) return {};
        return { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(steered.patch)).toString('base64') };
    }
  }

  private count(outcome: string): void {
    this.options.metrics
      .counter('eci_fleet_agent_steering_total', 'Pods the steering webhook was asked about, by outcome', ['outcome'])
      .inc({ outcome });
  }
}

/** As it is in the files now. Throws when they do not fit together, as between two writes: the one that is served stays. */
function givenCertificate(files: NonNullable<WebhookConfig['given']>): ServingCertificate {
  const { cert = '', key = '', ca = '' } = readTlsFiles(files);
  const fault = pemKeyFault(key, cert) ?? caFault(ca);
  if (fault !== undefined) throw new Error(`WEBHOOK_CERT_FILE, WEBHOOK_KEY_FILE, WEBHOOK_CA_FILE: ${fault}`);
  return { cert, key, ca };
}
