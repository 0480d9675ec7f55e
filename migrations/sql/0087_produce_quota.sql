-- What the control plane set last as the produce quota of the cluster's agent at Kafka, bytes a second: another one that is found there is an operator's.
alter table fleet.cluster add column produce_quota bigint;
