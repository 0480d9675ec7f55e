import { Controller, Get, Param, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { SealView } from './seal-message.ts';
import {
  AuditKeys,
  GetSeal,
  InclusionProof,
  ListAuditKeys,
  ListSeals,
  ProofQuery,
  ProveEvent,
  SealsPage,
  SealsQuery,
} from './read-seals.ts';

@ApiTags('audit')
@Controller('api/v1/audit')
export class AuditController {
  constructor(private readonly queries: QueryBus) {}

  @Get('seals')
  @ApiOperation({ summary: 'List seals over the log of events, newest first', operationId: 'listSeals' })
  @ApiResponse({ status: 200, description: 'Without the events they cover.', standardSchema: SealsPage })
  list(@Query({ schema: SealsQuery }) page: SealsQuery): Promise<SealsPage> {
    return this.queries.execute(new ListSeals(page));
  }

  @Get('seals/:sequence')
  @ApiOperation({ summary: 'One seal', operationId: 'getSeal' })
  @ApiResponse({ status: 200, description: 'What was hashed, its digest and its signature.', standardSchema: SealView })
  get(@Param('sequence') sequence: string): Promise<SealView> {
    return this.queries.execute(new GetSeal(sequence));
  }

  @Get('seals/:sequence/proof')
  @ApiOperation({ summary: 'Proof that an event is under a seal', operationId: 'proveEvent' })
  @ApiResponse({ status: 200, description: 'To be checked offline.', standardSchema: InclusionProof })
  proof(
    @Param('sequence') sequence: string,
    @Query({ schema: ProofQuery }) { eventId }: ProofQuery,
  ): Promise<InclusionProof> {
    return this.queries.execute(new ProveEvent(sequence, eventId));
  }

  @Get('keys')
  @ApiOperation({ summary: 'Public keys that have signed seals', operationId: 'listAuditKeys' })
  @ApiResponse({
    status: 200,
    description: 'A JWKS. Auditors keep a copy of their own and compare.',
    standardSchema: AuditKeys,
  })
  keys(): Promise<AuditKeys> {
    return this.queries.execute(new ListAuditKeys());
  }
}
