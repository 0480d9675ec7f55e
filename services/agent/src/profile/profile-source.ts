import type { Profile } from '#libs/contracts';
import { Reflector, resources, type ConfigMapObject, type KubernetesApi } from '#libs/kubernetes';
import type { Logger } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import type { PodEvents } from '../events/pod-events.ts';
import { parseProfile, type EciProfile } from './profile.ts';

interface ProfileSourceOptions {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly events: PodEvents;
  /** From the agent's environment; in force where the ConfigMap says nothing. */
  readonly environment: Profile;
  readonly onChange: (profile: EciProfile) => void;
}

const PROFILE_NAMESPACE = 'kube-system';
const PROFILE_NAME = 'eci-profile';

/**
 * The profile in force, followed without a restart. New pods use a change at once. A faulty ConfigMap is not applied: an Event on it says why,
 * and the last good one stays.
 */
export class ProfileSource {
  private readonly options: ProfileSourceOptions;
  private readonly reflector: Reflector<ConfigMapObject>;
  private current_: EciProfile;

  constructor(options: ProfileSourceOptions) {
    this.options = options;
    const { api, clock, random, logger } = options;
    const parsed = parseProfile(options.environment, undefined);
    if (!parsed.ok) throw new Error(`the environment gives no usable profile: ${parsed.faults.join('; ')}`);
    this.current_ = parsed.value;
    this.reflector = new Reflector<ConfigMapObject>({
      api,
      clock,
      random,
      resource: resources.configMaps,
      namespace: PROFILE_NAMESPACE,
      fieldSelector: `metadata.name=${PROFILE_NAME}`,
      onChange: (change) => this.apply(change.kind === 'deleted' ? undefined : change.object),
      onError: (error, failures) => {
        if (failures === 1) logger.warn('ConfigMap kube-system/eci-profile cannot be followed', { error });
      },
    });
  }

  start(): void {
    this.reflector.start();
  }

  async stop(): Promise<void> {
    await this.reflector.stop();
  }

  /** Resolves when the ConfigMap, or its absence, is known. */
  synced(): Promise<void> {
    return this.reflector.synced();
  }

  get current(): EciProfile {
    return this.current_;
  }

  private apply(configMap: ConfigMapObject | undefined): void {
    const { environment, logger, events, onChange } = this.options;
    const parsed = parseProfile(environment, configMap?.data);
    if (!parsed.ok) {
      const message = `the change is not applied, the last good profile stays: ${parsed.faults.join('; ')}`;
      logger.warn('the eci-profile is faulty', { faults: parsed.faults });
      if (configMap) events.say(configMap, 'Warning', 'InvalidEciProfile', message, 'ConfigMap');
      return;
    }
    this.current_ = parsed.value;
    logger.info('the profile in force', { revision: parsed.value.revision, selectors: parsed.value.selectors.length });
    onChange(parsed.value);
  }
}
