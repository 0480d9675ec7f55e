-- Who let an operator's decision in, beside the name by which he calls himself. Null: an older release wrote it, or nobody told the two apart.
alter table fleet.held_stop add column wanted_actor text;
alter table fleet.hold add column decided_actor text;
