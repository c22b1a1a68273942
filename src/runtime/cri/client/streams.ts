import type { Duplex } from "node:stream";
import { RuntimeError, type RuntimeStreams } from "../../contract.ts";

type Streaming = (
  url: string,
  options: { tty: boolean },
  streams: RuntimeStreams,
  signal: AbortSignal,
) => Promise<{ exitCode: number }>;
export const execByUrl: Streaming = async () => {
  throw new RuntimeError("Unsupported", "exec");
};
export const attachByUrl = execByUrl;
export async function portForwardByUrl(_url: string, _port: number): Promise<Duplex> {
  throw new RuntimeError("Unsupported", "port-forward");
}
