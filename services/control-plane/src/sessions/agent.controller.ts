import { Body, Controller, HttpCode, Post, UseInterceptors } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { JoinRequest, JoinResponse, SessionRequest, SessionResponse } from '#libs/contracts';
import { OwnAuthentication } from '../http/admin.guard.ts';
import { JoinCluster, OpenSession } from './agent-commands.ts';
import { LimitStrangers } from './strangers-limit.ts';

@ApiTags('agents')
@Controller('api/v1/agent')
@OwnAuthentication()
@UseInterceptors(LimitStrangers)
export class AgentController {
  constructor(private readonly commands: CommandBus) {}

  @Post('join')
  @HttpCode(200)
  @ApiOperation({
    summary: "Trade a one-time token for the right to speak with the agent's own key",
    operationId: 'joinCluster',
  })
  @ApiResponse({ status: 429, description: 'Refused too often from this address; `Retry-After` says for how long.' })
  @ApiResponse({ status: 200, description: 'Joined; the same key may repeat the call.', standardSchema: JoinResponse })
  join(@Body({ schema: JoinRequest }) request: JoinRequest): Promise<JoinResponse> {
    return this.commands.execute(new JoinCluster(request));
  }

  @Post('session')
  @HttpCode(200)
  @ApiOperation({ summary: 'Begin or renew the session of a cluster', operationId: 'openSession' })
  @ApiResponse({ status: 429, description: 'Refused too often from this address; `Retry-After` says for how long.' })
  @ApiResponse({ status: 200, description: 'The session as it stands now.', standardSchema: SessionResponse })
  session(@Body({ schema: SessionRequest }) request: SessionRequest): Promise<SessionResponse> {
    return this.commands.execute(new OpenSession(request));
  }
}
