import type { UserInfo } from "../../auth/index.ts";
import { fieldRequired, invalid } from "../../machinery/index.ts";
import type { ReviewResource } from "./review.ts";

const group = "authentication.k8s.io";

const userInfo = (user: UserInfo) => ({
  username: user.name,
  ...(user.uid && { uid: user.uid }),
  groups: [...user.groups],
  ...(user.extra && { extra: user.extra }),
});

/** `kubectl auth whoami`. */
const selfSubjectReview: ReviewResource = {
  group,
  version: "v1",
  resource: "selfsubjectreviews",
  singular: "selfsubjectreview",
  kind: "SelfSubjectReview",
  namespaced: false,
  review: async (body, { user, now }) => ({
    ...body,
    metadata: { ...body.metadata, creationTimestamp: now },
    status: { userInfo: userInfo(user) },
  }),
};

const tokenReview: ReviewResource = {
  group,
  version: "v1",
  resource: "tokenreviews",
  singular: "tokenreview",
  kind: "TokenReview",
  namespaced: false,
  review: async (body, { authenticator }) => {
    const { token, audiences } = body.spec ?? {};
    if (!token) throw invalid({ group, kind: "TokenReview" }, "", [fieldRequired("spec.token", "")]);
    try {
      const reviewed = await authenticator.reviewToken(token, audiences);
      const audience = audiences && { audiences: reviewed.audiences };
      return { ...body, status: { authenticated: true, user: userInfo(reviewed.user), ...audience } };
    } catch (error) {
      // A token that is not good is the answer, not a failure.
      return { ...body, status: { user: {}, error: (error as Error).message } };
    }
  },
};

export const authenticationReviews: readonly ReviewResource[] = [selfSubjectReview, tokenReview];
