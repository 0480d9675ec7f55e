-- From here on the present text of every function lies in migrations/functions, and is applied when it changed: here is which text each has. What
-- the files before this one made is replaced by it.
create table es.function_text (
  name       text collate "C" primary key,
  -- SHA-256 of the file.
  digest     text not null,
  applied_at timestamptz not null default clock_timestamp()
);
grant select on es.function_text to eci_fleet_app;

-- Texts have the order of the numbered files: a release that meets a number beyond its own leaves all functions alone. So whoever changes one adds a
-- numbered file that names it with the first 16 digits of its digest, or `gone`.
-- function es.append eeba9884131b2839
-- function es.append_2 0b2134922dacdf31
-- function es.append_beside eefa26a2b5dde979
-- function es.append_beside_2 cab8cf9c3a2490ad
-- function es.append_seal 0903bd313c4b0377
-- function es.append_with_keys 1ce1a68cffc5d9e2
-- function es.begin_inbox_epoch b7852ff4d58d1857
-- function es.begin_replay 5bbabdc63978b34d
-- function es.claim_effects 8fb56241dc1721ec
-- function es.claim_timers ed7850df10b235d6
-- function es.close_event_key 01dbc816146c54b6
-- function es.configure_lane eacecd9e223d2f3b
-- function es.confirm_effects 4fd478ab325b1af4
-- function es.due_gates 7e1284aa9b72da06
-- function es.end_replay 6378de4a92622d21
-- function es.ensure_partition 348e3b1b01d40bf5
-- function es.forget_event_keys 918dcec2f2c0dc1a
-- function es.hold_subscription 412d7e6762a99b4e
-- function es.horizon 3776308699a9a08f
-- function es.horizon_lag 2e53f4a2e0dd1563
-- function es.know_audit_key c841e8fa3291d4d4
-- function es.lane_accepted 74b78fdff8bac091
-- function es.lane_throttled 8c1506ed3c3f573d
-- function es.lane_tokens 44c83a1b4a1ab387
-- function es.lanes ffd39b0655ece3a7
-- function es.lease_subscription 8423b5ad84487ae9
-- function es.leave_subscription 3e8a78f5be693511
-- function es.load e50a524cdb3a4161
-- function es.load_after fadc61c6cee04821
-- function es.make_partitions eaf987030522e4c7
-- function es.move_checkpoint 43cf3770f83d201b
-- function es.move_head b4e5c29b7a2d5f8a
-- function es.note_holds_and_orphans 268d4a131879f0d2
-- function es.note_seals_published 8f6824db090abe0e
-- function es.now e6657dc45d5cead6
-- function es.open_streams 8012d12cc479bb37
-- function es.park_at 39c7b779eaa91be4
-- function es.park_for_subscription 0a439813da8afe25
-- function es.partition_name c5f7af354f355c85
-- function es.queue_parked 23e2aeefc3482646
-- function es.read_all 24d53802ac29670f
-- function es.refuse_change f89ea80f91b85332
-- function es.release_effect d39a481c6415bbca
-- function es.remove_timer 76a0acdba6285e47
-- function es.report_gate cbe9d812c662a604
-- function es.set_clock_offset 2edb18d973c82131
-- function es.stop_clock 37cfd0ecb852890a
-- function es.subscription_lag 7da660d463ba7fdf
-- function fleet.analyze_shadow 13137894a0d57f99
-- function fleet.begin_rebuild 52fad4f6c69e37b9
-- function fleet.container_group_indexes b1c3337778be538e
-- function fleet.drop_rebuild 02812643f0e29a2c
-- function fleet.lock_for_rebuild 936ace54a31bdbb2
-- function fleet.make_shadow_index 970d5f3fb5d8b3b6
-- function fleet.missing_shadow_indexes 60409314f8661cc3
-- function fleet.move_rebuild 305b181edb63c925
-- function fleet.refuse_other_rebuild 0db1c2e1c16d1bc0
-- function fleet.take_rebuild e9c86ee575d7d742
