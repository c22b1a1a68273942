import { request } from "node:http";
import { UserError } from "../errors.ts";
import type { ControlRequest } from "./protocol.ts";

/** Asks the running process; throws a {@link UserError} with its answer when it refuses, or when it is not there. */
export function ask<T>(socketPath: string, what: ControlRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath, method: "POST", path: "/" }, (res) => {
      const chunks: Buffer[] = [];
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("end", () => {
        const answer = JSON.parse(Buffer.concat(chunks).toString()) as { value: T; error?: string };
        if (answer.error === undefined) resolve(answer.value);
        else reject(new UserError(answer.error));
      });
      res.on("error", reject);
    });
    req.on("error", (cause) =>
      reject(new UserError("the cluster's process does not answer", { remedy: "peapod up --detach", cause })),
    );
    req.end(JSON.stringify(what));
  });
}
