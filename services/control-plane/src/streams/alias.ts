/** The name by which observations of a container group find its stream; one for each id that the cloud ever gave. */
export function aliasOf(accountId: string, region: string, containerGroupId: string): string {
  return `eci:${accountId}/${region}/${containerGroupId}`;
}
