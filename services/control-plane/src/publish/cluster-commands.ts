import { commandKey, type ClusterCommand } from '#libs/contracts';
import type { ClusterVoice } from './cluster-voice.ts';
import type { KnownClusters } from './ports.ts';

/** What the control plane asks of agents. A newer command of a name replaces an older one that was not read yet. */
export class ClusterCommands {
  private readonly voice: ClusterVoice;
  private readonly directory: KnownClusters;

  constructor(parts: { readonly voice: ClusterVoice; readonly directory: KnownClusters }) {
    this.voice = parts.voice;
    this.directory = parts.directory;
  }

  /** Resolves when the log has the command; false when the cluster has no topic (never joined, or unregistered) and nothing was sent. */
  async sendCommand(clusterId: string, command: ClusterCommand): Promise<boolean> {
    if (!(await this.directory.find(clusterId))?.live) return false;
    const value = Buffer.from(JSON.stringify(command), 'utf8');
    const voice = await this.voice.to([clusterId]);
    await voice.say(clusterId, [{ key: commandKey(command.name), value }]);
    return true;
  }

  /** The same command to every cluster that has joined; rejects with the first failure once all have been tried. */
  async sendToAll(command: ClusterCommand): Promise<void> {
    const failures: unknown[] = [];
    for (const { id } of await this.directory.live())
      await this.sendCommand(id, command).catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}
