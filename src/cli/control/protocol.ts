/** What the command line may ask of the running process. */
export type ControlRequest =
  | { do: "status" }
  | { do: "images" }
  | { do: "loadImage"; path: string; tag?: string }
  | { do: "pullImage"; name: string }
  | { do: "removeImage"; name: string }
  | { do: "stop"; pods: "stop" | "keep" };
