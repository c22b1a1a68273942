import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { connectSpdy } from "./connect.ts";

const protocol = "portforward.k8s.io";

/** One connection to a port, by a streaming server's URL. That nobody listens there is an error of the stream. */
export async function openForwardedPort(url: string, port: number): Promise<Duplex> {
  const session = await connectSpdy(url, protocol);
  const open = (streamtype: string) =>
    session.open(
      new Map([
        ["streamtype", streamtype],
        ["port", String(port)],
        ["requestid", "0"],
      ]),
    );
  const error = open("error");
  error.end();
  const data = open("data");
  text(error).then(
    (message) => {
      if (message !== "") data.destroy(new Error(message));
    },
    () => {},
  );
  data.once("close", () => session.close());
  return data;
}
