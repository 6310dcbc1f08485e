/** What a Kubernetes API says of a token; registries/kubernetes asks it. */
export type Review =
  | {
      readonly kind: 'authenticated';
      readonly username: string;
      readonly uid: string;
      readonly groups: readonly string[];
      readonly extra: Readonly<Record<string, readonly string[]>>;
      readonly audiences: readonly string[];
    }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface ReviewTokens {
  /** Never throws. `audiences`: the token must be for one of them. */
  review(token: string, audiences: readonly string[]): Promise<Review>;
  close(): Promise<void>;
}
