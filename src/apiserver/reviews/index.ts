import { accessReviews } from "./access-reviews.ts";
import { authenticationReviews } from "./authentication-reviews.ts";
import type { ReviewResource } from "./review.ts";

export type { ReviewContext, ReviewResource } from "./review.ts";

/** Every resource that is only asked, never stored. */
export const reviews: readonly ReviewResource[] = [...authenticationReviews, ...accessReviews];
