import { describe, expect, it } from 'vitest';
import { screenOf } from './live-view.ts';
import { countsByLife, lineOf, type Overview, type OverviewEvent } from './overview.ts';

const landed: OverviewEvent = {
  id: '1',
  streamId: 'container_group:demo-1:12345678-aaaa',
  type: 'ContainerGroupLanded',
  at: '2026-01-01T10:20:30.000Z',
  data: { zone: 'cn-hangzhou-h', vSwitchId: 'vsw-1', spec: '2-4Gi' },
};

const overview: Overview = {
  total: 3,
  byLife: { running: 2, gone: 1 },
  byZone: { 'cn-hangzhou-h': 2 },
  byCluster: [{ clusterId: 'demo-1', name: 'demo-1', byLife: { running: 2, gone: 1 } }],
  lastEvents: [landed],
};

const where = {
  apiUrl: 'http://127.0.0.1:8080',
  clusterId: 'demo-1',
  kubeconfig: 'demo.kubeconfig',
  controlUrl: 'http://control:token@127.0.0.1:1/control/v1',
};

describe('the overview', () => {
  it('tells an event in one line', () => {
    expect(lineOf(landed)).toBe('10:20:30  ContainerGroupLanded     demo-1/12345678  cn-hangzhou-h vsw-1 2-4Gi');
    const registered = { ...landed, streamId: 'cluster:demo-1', type: 'ClusterRegistered', data: { name: 'demo-1' } };
    expect(lineOf(registered)).toBe('10:20:30  ClusterRegistered        demo-1');
  });

  it('counts lives in the order they are lived', () => {
    expect(countsByLife({ gone: 1, running: 2, parked: 0 })).toEqual([
      ['running', 2],
      ['gone', 1],
    ]);
  });

  it('shows clusters, states, zones, events, the address and how to connect a cluster on one screen', () => {
    const screen = screenOf(overview, { ...where, rows: 40, columns: 100 });
    for (const part of [
      'demo-1',
      'running',
      'cn-hangzhou-h',
      'ContainerGroupLanded',
      'http://127.0.0.1:8080/api/docs',
      '--kubeconfig',
    ]) {
      expect(screen).toContain(part);
    }
  });

  it('never draws more than the terminal has room for', () => {
    const many = { ...overview, lastEvents: Array.from({ length: 50 }, () => landed) };
    const lines = screenOf(many, { ...where, rows: 20, columns: 60 }).split('\n');
    expect(lines.length).toBeLessThanOrEqual(19);
    for (const line of lines) expect(line.replaceAll(/\u001b\[[0-9;]*m/g, '').length).toBeLessThanOrEqual(60);
  });
});
