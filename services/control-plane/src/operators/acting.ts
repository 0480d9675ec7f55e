/** Who does something and why, as commands carry it. */
export interface Acting {
  /** `operator:<name>`, `agent:<clusterId>` or `control-plane:<role>`: who asked, as proven; never what a request says of itself. */
  readonly actor: string;
  readonly reason?: string | undefined;
}

/** As events keep it. */
export const because = ({ reason }: Acting): { readonly reason?: string } => (reason === undefined ? {} : { reason });

export const agentActor = (clusterId: string): string => `agent:${clusterId}`;
