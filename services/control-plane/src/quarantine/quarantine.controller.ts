import { Controller, Get, Param, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import {
  GetQuarantined,
  ListQuarantine,
  QuarantinedView,
  QuarantineFilter,
  QuarantinePage,
} from './list-quarantine.ts';

@ApiTags('quarantine')
@Controller('api/v1/quarantine')
export class QuarantineController {
  constructor(private readonly queries: QueryBus) {}

  @Get()
  @ApiOperation({ summary: 'List messages that could not be understood, newest first', operationId: 'listQuarantine' })
  @ApiResponse({ status: 200, description: 'Without their bytes.', standardSchema: QuarantinePage })
  list(@Query({ schema: QuarantineFilter }) filter: QuarantineFilter): Promise<QuarantinePage> {
    return this.queries.execute(new ListQuarantine(filter));
  }

  @Get(':id')
  @ApiOperation({
    summary: 'One such message, with its clear part and its bytes as they came',
    operationId: 'getQuarantined',
  })
  @ApiResponse({ status: 200, description: 'What is sealed in it stays sealed.', standardSchema: QuarantinedView })
  get(@Param('id') id: string): Promise<QuarantinedView> {
    return this.queries.execute(new GetQuarantined(id));
  }
}
