import { formatTime, type KubeObject } from "../../machinery/index.ts";
import { authorizeReview } from "../authorize.ts";
import type { Body, Caller, Serving } from "../context.ts";
import { type ReviewResource, reviews } from "../reviews/index.ts";
import { conform, parseBody } from "../verbs/decode.ts";
import type { ResourcePath } from "./path.ts";

const byPath = new Map(
  reviews.map((review) => [`${review.group}/${review.version}/${review.resource}`, review]),
);

/** A resource that is only asked, as a request for it is performed. */
export function reviewOf(path: ResourcePath) {
  const review = byPath.get(`${path.group}/${path.version}/${path.resource}`);
  if (!review || path.name !== undefined || review.namespaced !== (path.namespace !== undefined))
    return undefined;
  return {
    perform: (serving: Serving, caller: Caller, at: ResourcePath, body: () => Promise<Body>) =>
      performReview(serving, caller, review, at.namespace, body),
  };
}

async function performReview(
  serving: Serving,
  caller: Caller,
  review: ReviewResource,
  namespace: string | undefined,
  body: () => Promise<Body>,
): Promise<KubeObject> {
  await authorizeReview(serving, caller, review, namespace);
  const { value, duplicates } = parseBody(await body(), serving.schemas, "find");
  const { group, version, kind } = review;
  const schema = serving.schemas.kind(group, version, kind)!;
  const request = conform(
    serving,
    caller,
    value,
    { group, version, kind, schema },
    { mode: "Warn", duplicates },
  );
  return review.review(request, {
    user: caller.user,
    namespace,
    authorizer: serving.authorizer,
    authenticator: serving.authenticator,
    now: formatTime(serving.clock.now()),
  });
}
