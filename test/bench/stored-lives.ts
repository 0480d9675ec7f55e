import type pg from 'pg';

/** Events of one life: from intent to the end of the pod object. */
export const EVENTS_PER_LIFE = 8;
const LIVES_PER_TRANSACTION = 10_000;

/**
 * Lives of pods, written by SQL as the store would have written them (digests are not of their content: nothing here reads them). Ten thousand
 * lives at a time are interleaved, as in a busy hour. `pool` belongs to the owner of the tables.
 */
export async function storeLives(pool: pg.Pool, lives: number, firstCluster = 0): Promise<number> {
  for (let from = 0; from < lives; from += LIVES_PER_TRANSACTION) {
    const to = Math.min(lives, from + LIVES_PER_TRANSACTION);
    await pool.query(
      `with life as materialized (
         select i, 'c' || ($3 + i % 50) as cluster, md5('pod' || i || '/' || $3)::uuid::text as uid, 'eci-' || md5('group' || i || '/' || $3) as id,
                'vsw-' || i % 4 as v_switch, 'cn-hangzhou-' || chr(104 + i % 4) as zone,
                es.now() - interval '20 minutes' + i * interval '1 millisecond' as at
           from generate_series($1::int, $2::int - 1) i
       ), head as (
         insert into es.stream (stream_id, version, last_transaction_id, last_recorded_at, opened_at, closed_at)
         select 'container_group:' || cluster || ':' || uid, $4, pg_current_xact_id(), now(), now(), now() from life
       )
       insert into es.event (recorded_at, stream_id, version, event_id, type, schema_version, data, metadata, digest)
       select now(), 'container_group:' || l.cluster || ':' || l.uid, e.version, gen_random_uuid(), e.type, 1, e.data,
              jsonb_build_object('actor', 'control-plane:bench', 'decidedAt',
                                 to_char((l.at + e.version * interval '2 seconds') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')),
              sha256(convert_to(l.uid || e.version, 'UTF8'))
         from generate_series(1, $4) v
        cross join lateral (select * from life order by i) l
        cross join lateral (select * from (${EVENTS_OF_A_LIFE}) as e (version, type, data)) e
        where e.version = v
        order by v, l.i`,
      [from, to, firstCluster, EVENTS_PER_LIFE],
    );
  }
  await pool.query('analyze es.event');
  await pool.query('analyze es.stream');
  return lives * EVENTS_PER_LIFE;
}

const CONTAINER = `jsonb_build_object('name', 'web', 'image', 'nginx:1.27', 'ready', true, 'restartCount', 0,
  'state', jsonb_build_object('state', 'running', 'startedAt', '2026-03-01T10:00:04Z'))`;

const EVENTS_OF_A_LIFE = `
  values
    (1, 'PodIntentAccepted', jsonb_build_object(
      'clusterId', l.cluster,
      'pod', jsonb_build_object('uid', l.uid, 'namespace', 'team-' || l.i % 20, 'name', 'web-' || l.i, 'resourceVersion', '1', 'restartPolicy', 'Always',
        'containers', jsonb_build_array(jsonb_build_object('name', 'web', 'image', 'nginx:1.27')), 'initContainers', '[]'::jsonb),
      'clearPod', jsonb_build_object('metadata', jsonb_build_object('name', 'web-' || l.i), 'spec', repeat('x', 1500)),
      'need', jsonb_build_object('accountId', 'default', 'region', 'cn-hangzhou', 'vSwitches', jsonb_build_array(jsonb_build_object('vSwitchId', l.v_switch)),
        'scheduleStrategy', 'default', 'specs', jsonb_build_array('2-4Gi'), 'chargeType', 'on-demand', 'spotFallback', false, 'failStrategy', 'fail-back',
        'priority', 0),
      'agentEpoch', 1, 'sequence', 1, 'profileRevision', 'r1', 'spec', '{}'::jsonb, 'digests', '{}'::jsonb, 'tokens', '[]'::jsonb, 'lookUpFirst', false)),
    (2, 'PlacementChosen', jsonb_build_object('attempt', 1, 'clientToken', l.uid, 'accountId', 'default', 'region', 'cn-hangzhou',
      'candidates', jsonb_build_array(jsonb_build_object('vSwitchId', l.v_switch, 'reason', 'first of the profile'), jsonb_build_object('vSwitchId', 'vsw-9', 'reason', 'second')),
      'specs', jsonb_build_array('2-4Gi'), 'chargeType', 'on-demand', 'policyVersion', '1', 'why', jsonb_build_array('the order of the profile'), 'seed', 1,
      'requestDigest', l.uid)),
    (3, 'ContainerGroupCreated', jsonb_build_object('attempt', 1, 'containerGroupId', l.id, 'requestId', l.uid)),
    (4, 'ContainerGroupLanded', jsonb_build_object('containerGroupId', l.id, 'zone', l.zone, 'vSwitchId', l.v_switch, 'spec', '2-4Gi', 'cpu', 2, 'memoryGiB', 4)),
    (5, 'ContainersChanged', jsonb_build_object('containerGroupId', l.id, 'status', 'Running', 'containers', jsonb_build_array(${CONTAINER}),
      'initContainers', '[]'::jsonb, 'conditions', '[]'::jsonb, 'cloudEvents', '[]'::jsonb, 'podIp', '10.0.0.7')),
    (6, 'StopRequested', jsonb_build_object('by', 'agent:' || l.cluster, 'reason', 'Deleted', 'graceSeconds', 30)),
    (7, 'DeleteAccepted', jsonb_build_object('containerGroupId', l.id, 'requestId', l.uid)),
    (8, 'ContainerGroupGone', jsonb_build_object('containerGroupId', l.id, 'evidence', 'the cloud answered NotFound to a second delete'))`;
