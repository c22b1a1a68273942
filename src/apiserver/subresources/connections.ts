/** Subresources of a pod that take the connection over; the server half is the room `streaming`. */
export interface Connection {
  name: "exec" | "attach" | "portforward";
  /** The type of its options, as discovery names it. */
  optionsKind: string;
}

export const connections: ReadonlyMap<string, Connection> = new Map(
  (
    [
      { name: "exec", optionsKind: "PodExecOptions" },
      { name: "attach", optionsKind: "PodAttachOptions" },
      { name: "portforward", optionsKind: "PodPortForwardOptions" },
    ] as const
  ).map((connection) => [connection.name, connection]),
);
