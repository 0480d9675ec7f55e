import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { AccountDesk } from './accounts/account-desk.ts';
import { AccountDirectory } from './accounts/account-directory.ts';
import { AccountsController } from './accounts/accounts.controller.ts';
import {
  AddAccountHandler,
  ChangeCredentialHandler,
  GetAccountHandler,
  ListAccountsHandler,
} from './accounts/accounts.ts';
import { AuditController } from './audit/audit.controller.ts';
import { SEAL_HANDLERS, SealReader } from './audit/read-seals.ts';
import {
  ClusterReader,
  GetClusterHandler,
  IssueJoinTokenHandler,
  ListClustersHandler,
  RegisterClusterHandler,
  RotateAgentKeyHandler,
  UnregisterClusterHandler,
} from './clusters/clusters.ts';
import { ClustersController } from './clusters/clusters.controller.ts';
import { ClusterRegistration } from './clusters/registration.ts';
import { ContainerGroupsController } from './container-groups/container-groups.controller.ts';
import { EventFeed } from './container-groups/event-feed.ts';
import { StreamFinder } from './container-groups/find-stream.ts';
import { GetContainerGroupHandler } from './container-groups/get-container-group.ts';
import { GetHistoryHandler, GetStreamHistoryHandler } from './container-groups/get-history.ts';
import { GetOverviewHandler } from './container-groups/get-overview.ts';
import { ListContainerGroupsHandler } from './container-groups/list-container-groups.ts';
import { ReadEventsHandler } from './container-groups/read-events.ts';
import { FleetMetrics } from './health/fleet-metrics.ts';
import { DecideHoldHandler } from './holds/decide-hold.ts';
import { HoldDesk } from './holds/hold-desk.ts';
import { HoldReader } from './holds/hold-reader.ts';
import { HoldsController } from './holds/holds.controller.ts';
import { Operators } from './http/operators.ts';
import { ORPHAN_HANDLERS } from './orphans/decide.ts';
import { OrphanDecisions } from './orphans/decide-orphan.ts';
import { OrphanReader } from './orphans/orphan-reader.ts';
import { OrphansController } from './orphans/orphans.controller.ts';
import { HealthController } from './health/health.controller.ts';
import { Readiness } from './health/readiness.ts';
import { DisplayKeys } from './keys/display-keys.ts';
import { GetQuarantinedHandler, ListQuarantineHandler, QuarantineReader } from './quarantine/list-quarantine.ts';
import { QuarantineController } from './quarantine/quarantine.controller.ts';
import { AGENT_HANDLERS } from './sessions/agent-commands.ts';
import { AgentController } from './sessions/agent.controller.ts';
import { AgentJoin } from './sessions/join.ts';
import { AgentSessions } from './sessions/session.ts';
import { StrangersLimit } from './sessions/strangers-limit.ts';
import { EventStore } from '#libs/event-store';
import { DataSource } from 'typeorm';

/** What the controllers and handlers are given; made outside Nest, so that loops and tests share the same objects. */
interface Services {
  readonly store: EventStore;
  readonly dataSource: DataSource;
  readonly accounts: AccountDirectory;
  readonly accountDesk: AccountDesk;
  readonly clusterReader: ClusterReader;
  readonly registration: ClusterRegistration;
  readonly feed: EventFeed;
  readonly finder: StreamFinder;
  readonly displayKeys: DisplayKeys;
  readonly quarantineReader: QuarantineReader;
  readonly holdReader: HoldReader;
  readonly holdDesk: HoldDesk;
  readonly orphanReader: OrphanReader;
  readonly orphanDecisions: OrphanDecisions;
  readonly sealReader: SealReader;
  readonly join: AgentJoin;
  readonly sessions: AgentSessions;
  readonly strangersLimit: StrangersLimit;
  readonly fleetMetrics: FleetMetrics;
  readonly readiness: Readiness;
  readonly operators: Operators;
}

/** The rim of the control plane: role `api` serves everything, every other role only its health. */
@Module({})
export class AppModule {
  static with(services: Services, options: { readonly api: boolean }): DynamicModule {
    const given: Provider[] = [
      { provide: EventStore, useValue: services.store },
      { provide: DataSource, useValue: services.dataSource },
      { provide: AccountDirectory, useValue: services.accounts },
      { provide: AccountDesk, useValue: services.accountDesk },
      { provide: ClusterReader, useValue: services.clusterReader },
      { provide: ClusterRegistration, useValue: services.registration },
      { provide: EventFeed, useValue: services.feed },
      { provide: StreamFinder, useValue: services.finder },
      { provide: DisplayKeys, useValue: services.displayKeys },
      { provide: QuarantineReader, useValue: services.quarantineReader },
      { provide: HoldReader, useValue: services.holdReader },
      { provide: HoldDesk, useValue: services.holdDesk },
      { provide: OrphanReader, useValue: services.orphanReader },
      { provide: OrphanDecisions, useValue: services.orphanDecisions },
      { provide: SealReader, useValue: services.sealReader },
      { provide: AgentJoin, useValue: services.join },
      { provide: AgentSessions, useValue: services.sessions },
      { provide: StrangersLimit, useValue: services.strangersLimit },
      { provide: FleetMetrics, useValue: services.fleetMetrics },
      { provide: Readiness, useValue: services.readiness },
      { provide: Operators, useValue: services.operators },
    ];
    if (!options.api) return { module: AppModule, controllers: [HealthController], providers: given };
    return {
      module: AppModule,
      imports: [CqrsModule.forRoot()],
      controllers: [
        HealthController,
        AgentController,
        ClustersController,
        AccountsController,
        ContainerGroupsController,
        QuarantineController,
        HoldsController,
        OrphansController,
        AuditController,
      ],
      providers: [
        ...given,
        AddAccountHandler,
        ChangeCredentialHandler,
        GetAccountHandler,
        ListAccountsHandler,
        RegisterClusterHandler,
        IssueJoinTokenHandler,
        RotateAgentKeyHandler,
        UnregisterClusterHandler,
        GetClusterHandler,
        ListClustersHandler,
        ListContainerGroupsHandler,
        GetContainerGroupHandler,
        GetHistoryHandler,
        GetStreamHistoryHandler,
        GetOverviewHandler,
        ReadEventsHandler,
        ListQuarantineHandler,
        GetQuarantinedHandler,
        ...SEAL_HANDLERS,
        ...AGENT_HANDLERS,
        ...ORPHAN_HANDLERS,
        DecideHoldHandler,
      ],
    };
  }
}
