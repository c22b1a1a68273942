import { badRequest, StatusError } from "../status.ts";

/**
 * A patch that is well formed but can't be applied to this object: 422. Upstream sends the generic message and keeps the
 * explanation to its log; here it is the cause, so that kubectl prints it.
 */
export const patchDoesNotApply = (why: string) =>
  new StatusError(422, "Invalid", "the server rejected our request due to an error in our request", {
    causes: [{ reason: "FieldValueInvalid", message: why, field: "patch" }],
  });

/** A patch that is not a patch: 400. */
export const malformedPatch = (why: string) => badRequest(why);
