import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resources, type KubernetesApi } from '#libs/kubernetes';
import type { Logger, Metrics } from '#libs/observability';
import { Loop, type Clock, type Random } from '#libs/runtime';
import type { WebhookConfig } from '../config.ts';
import type { EciProfile } from '../profile/profile.ts';
import type { Labels } from '../profile/selectors.ts';
import { register, registrationOf, type RegistrationTarget } from './registration.ts';
import { steer, type NewPod, type SteeringRules } from './steer.ts';
import { CertificateKeeper, type ServingCertificate } from './webhook-certificate.ts';

export interface WebhookOptions {
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

const MAX_BODY = 3 * 1024 * 1024;
/** Below the 5 s after which the API server goes on without us. */
const ANSWER_WITHIN_MS = 3_500;
const NAMESPACE_LIFE_MS = 1_000;
const CHECK_MS = 30_000;

/**
 * Serves `/mutate` and keeps itself registered. Whatever goes wrong the answer is "allowed": a pod that is not steered runs on other nodes or
 * stays pending, a webhook that refuses stops a cluster.
 */
export class Webhook {
  private readonly options: WebhookOptions;
  private readonly loop: Loop;
  private readonly namespaces = new Map<string, { readonly until: number; readonly labels: Promise<Labels> }>();
  private server: Server | undefined;
  private serving: ServingCertificate | undefined;
  private port_: number | undefined;
  private registered_ = false;

  constructor(options: WebhookOptions) {
    this.options = options;
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
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
    const server = this.server;
    if (!server) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
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
    await this.listen(await this.certificate());
    const url = config.url?.replace(/:0(?=\/|$)/, `:${this.port_}`);
    const target: RegistrationTarget = { url, service, nodeName };
    const written = await register(api, registrationOf(target, this.serving!.ca, profile().selectors));
    if (written)
      logger.info('registered the steering webhook', { at: clock.now(), url: url ?? `service ${service.name}` });
    this.registered_ = true;
  }

  private async certificate(): Promise<ServingCertificate> {
    const { api, clock, config, namespace } = this.options;
    if (config.given) return config.given;
    const { service, url } = config;
    const names = [`${service}.${namespace}.svc`, `${service}.${namespace}.svc.cluster.local`];
    const hosts = url === undefined ? names : [new URL(url).hostname.replace(/^\[|\]$/g, ''), ...names];
    return await new CertificateKeeper({ api, clock, namespace, hosts }).current();
  }

  private async listen(certificate: ServingCertificate): Promise<void> {
    const { config } = this.options;
    const { cert, key } = certificate;
    if (this.server) {
      if (this.serving?.cert !== cert) this.server.setSecureContext({ cert, key });
      this.serving = certificate;
      return;
    }
    const server = createServer({ cert, key }, (request, response) => {
      void this.serve(request, response);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(config.port, config.host, () => {
        server.off('error', reject);
        resolve();
      });
    });
    server.on('error', (error) => this.options.logger.warn('the webhook server failed', { error }));
    this.server = server;
    this.serving = certificate;
    this.port_ = (server.address() as AddressInfo).port;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    try {
      if (request.method !== 'POST' || request.url?.split('?')[0] !== '/mutate')
        return answer(404, { message: 'only POST /mutate' });
      const review = JSON.parse(await readBody(request)) as { request?: AdmissionRequest };
      if (!review.request?.uid) return answer(400, { message: 'no AdmissionReview' });
      const verdict = await this.within(review.request);
      answer(200, {
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        response: { uid: review.request.uid, allowed: true, ...verdict },
      });
    } catch (error) {
      this.count('failed');
      this.options.logger.warn('an admission review was not understood', { error });
      if (!response.headersSent) answer(400, { message: 'the request cannot be read' });
    }
  }

  private async within(request: AdmissionRequest): Promise<Record<string, unknown>> {
    const late = new AbortController();
    try {
      return await Promise.race([
        this.review(request),
        this.options.clock.sleep(ANSWER_WITHIN_MS, late.signal).then(() => {
          if (late.signal.aborted) return {};
          this.count('late');
          return { warnings: ['eci-fleet: the virtual node was not considered in time'] };
        }),
      ]);
    } catch (error) {
      this.count('failed');
      this.options.logger.warn('a pod was not steered', { namespace: request.namespace ?? '', error });
      return { warnings: ['eci-fleet: the virtual node could not be considered'] };
    } finally {
      late.abort();
    }
  }

  private async review(request: AdmissionRequest): Promise<Record<string, unknown>> {
    const { taint, profile } = this.options;
    const labels = await this.labelsOf(request.namespace ?? '');
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

  /** A second is short enough for a label that was set before the pod was made, and makes a burst one request. */
  private labelsOf(namespace: string): Promise<Labels> {
    const { api, clock } = this.options;
    const now = clock.now();
    const kept = this.namespaces.get(namespace);
    if (kept && kept.until > now) return kept.labels;
    for (const [name, { until }] of this.namespaces) if (until <= now) this.namespaces.delete(name);
    const labels = api
      .get(resources.namespaces, { name: namespace }, { priority: 'vital', timeoutMs: 3_000 })
      .then((n) => n.metadata.labels ?? {});
    this.namespaces.set(namespace, { until: now + NAMESPACE_LIFE_MS, labels });
    labels.catch(() => this.namespaces.delete(namespace));
    return labels;
  }

  private count(outcome: string): void {
    this.options.metrics
      .counter('eci_fleet_agent_steering_total', 'Pods the steering webhook was asked about, by outcome', ['outcome'])
      .inc({ outcome });
  }
}

interface AdmissionRequest {
  readonly uid?: string;
  readonly namespace?: string;
  readonly object?: unknown;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > MAX_BODY) throw new Error('the request is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
