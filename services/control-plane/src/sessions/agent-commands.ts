import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { JoinRequest, JoinResponse, SessionRequest, SessionResponse } from '#libs/contracts';
import { ActingCommand } from '../operators/acting-command.ts';
import { AgentJoin } from './join.ts';
import { AgentSessions } from './session.ts';

/** Whose agent it is has yet to be proven by what it sends: that is what both do first, and events name the cluster. */
const AGENT = { actor: 'agent' };

export class JoinCluster extends ActingCommand<JoinResponse> {
  readonly request: JoinRequest;

  constructor(request: JoinRequest) {
    super(AGENT);
    this.request = request;
  }
}

@CommandHandler(JoinCluster)
class JoinClusterHandler implements ICommandHandler<JoinCluster> {
  constructor(private readonly agentJoin: AgentJoin) {}

  execute({ request }: JoinCluster): Promise<JoinResponse> {
    return this.agentJoin.join(request);
  }
}

/** Begins a session, superseding whichever there is, or renews it. */
export class OpenSession extends ActingCommand<SessionResponse> {
  readonly request: SessionRequest;

  constructor(request: SessionRequest) {
    super(AGENT);
    this.request = request;
  }
}

@CommandHandler(OpenSession)
class OpenSessionHandler implements ICommandHandler<OpenSession> {
  constructor(private readonly sessions: AgentSessions) {}

  execute({ request }: OpenSession): Promise<SessionResponse> {
    return this.sessions.open(request);
  }
}

export const AGENT_HANDLERS = [JoinClusterHandler, OpenSessionHandler];
