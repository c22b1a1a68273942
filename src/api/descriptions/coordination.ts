import type { Descriptions } from "./describe.ts";

export const coordinationDescriptions: Descriptions = {
  "coordination/v1.Lease": `
    Something that one holder at a time has, as long as the holder renews it: a node's heartbeat, the leadership among replicas.
    spec: Who has it, and since when.
  `,
  "coordination/v1.LeaseSpec": `
    Who has a Lease.
    holderIdentity: Who has it now.
    leaseDurationSeconds: How long after its last renewal others may take it.
    acquireTime: When the holder took it.
    renewTime: When the holder last renewed it.
    leaseTransitions: How often it changed hands.
    strategy: How the holder is chosen among candidates.
    preferredHolder: To whom the holder should hand it over.
  `,
};
