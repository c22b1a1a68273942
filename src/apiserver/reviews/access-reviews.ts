import type { UserInfo } from "../../auth/index.ts";
import {
  badRequest,
  type FieldError,
  fieldInvalid,
  fieldRequired,
  invalid,
  type KubeObject,
} from "../../machinery/index.ts";
import { attributesOf, type ReviewContext, type ReviewResource, subjectOf } from "./review.ts";

const group = "authorization.k8s.io";

async function decide(body: KubeObject, user: UserInfo, context: ReviewContext): Promise<KubeObject> {
  const { allowed, why } = await context.authorizer.authorize(attributesOf(user, body.spec));
  return { ...body, status: { allowed, ...(why && !allowed && { reason: why }) } };
}

/** Exactly one of the two kinds of attributes must be there. */
function check(kind: string, spec: any, needsSubject: "subject" | "self"): void {
  const causes: FieldError[] = [];
  if (spec?.resourceAttributes && spec?.nonResourceAttributes) {
    causes.push(
      fieldInvalid(
        "spec.nonResourceAttributes",
        spec.nonResourceAttributes,
        "cannot be specified in combination with resourceAttributes",
      ),
    );
  }
  if (!spec?.resourceAttributes && !spec?.nonResourceAttributes) {
    causes.push(
      fieldRequired(
        "spec.resourceAttributes",
        "exactly one of nonResourceAttributes or resourceAttributes must be specified",
      ),
    );
  }
  if (needsSubject === "subject" && !spec?.user && !spec?.groups?.length) {
    causes.push(fieldRequired("spec.user", "at least one of user or group must be specified"));
  }
  if (causes.length > 0) throw invalid({ group, kind }, "", causes);
}

const subjectAccessReview: ReviewResource = {
  group,
  version: "v1",
  resource: "subjectaccessreviews",
  singular: "subjectaccessreview",
  kind: "SubjectAccessReview",
  namespaced: false,
  review: (body, context) => {
    check("SubjectAccessReview", body.spec, "subject");
    return decide(body, subjectOf(body.spec), context);
  },
};

const localSubjectAccessReview: ReviewResource = {
  group,
  version: "v1",
  resource: "localsubjectaccessreviews",
  singular: "localsubjectaccessreview",
  kind: "LocalSubjectAccessReview",
  namespaced: true,
  review: (body, context) => {
    check("LocalSubjectAccessReview", body.spec, "subject");
    const asked = body.spec.resourceAttributes;
    if (!asked) throw badRequest("a LocalSubjectAccessReview needs resourceAttributes");
    if (asked.namespace !== context.namespace) {
      throw badRequest(
        `spec.resourceAttributes.namespace must match the namespace of the request: ${context.namespace}`,
      );
    }
    return decide(body, subjectOf(body.spec), context);
  },
};

const selfSubjectAccessReview: ReviewResource = {
  group,
  version: "v1",
  resource: "selfsubjectaccessreviews",
  singular: "selfsubjectaccessreview",
  kind: "SelfSubjectAccessReview",
  namespaced: false,
  review: (body, context) => {
    check("SelfSubjectAccessReview", body.spec, "self");
    return decide(body, context.user, context);
  },
};

/** `kubectl auth can-i --list`. */
const selfSubjectRulesReview: ReviewResource = {
  group,
  version: "v1",
  resource: "selfsubjectrulesreviews",
  singular: "selfsubjectrulesreview",
  kind: "SelfSubjectRulesReview",
  namespaced: false,
  review: async (body, context) => {
    const namespace = body.spec?.namespace;
    if (!namespace) throw badRequest("no namespace on request");
    const { rules, incomplete } = context.authorizer.rulesFor(context.user, namespace);
    return {
      ...body,
      status: {
        resourceRules: rules.filter((rule) => rule.resources),
        nonResourceRules: rules.filter((rule) => rule.nonResourceURLs),
        incomplete: incomplete !== undefined,
        ...(incomplete !== undefined && { evaluationError: incomplete }),
      },
    };
  },
};

export const accessReviews: readonly ReviewResource[] = [
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectRulesReview,
  subjectAccessReview,
];
