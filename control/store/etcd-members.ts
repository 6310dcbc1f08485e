import { GRPCDeadlineExceededError, GRPCUnavailableError } from 'etcd3';

/** Skips a member without calling it: the client then asks the next. */
export interface MemberPolicy {
  execute<T>(work: (context: object) => T | Promise<T>): Promise<T>;
}

/** Nothing was sent: other calls saw every member fail between two looks at the list. */
export class MemberSkipped extends Error {}

const forgetMs = 5_000;

/**
 * Which members may be asked. The client picks one at random; what is refused here it picks again, so that as many calls as there are
 * members reach each of them once, whatever the dice say. A member is skipped while another failed longer ago, or not at all, in the last 5 s.
 * @param now milliseconds.
 */
export function memberPolicies(endpoints: number, now: () => number): () => MemberPolicy {
  const failures = new Map<number, { readonly at: number; readonly order: number }>();
  let members = 0;
  let order = 0;
  const rank = (member: number): number => {
    const failed = failures.get(member);
    return failed === undefined || now() - failed.at > forgetMs ? 0 : failed.order;
  };
  return () => {
    const own = members++;
    return {
      async execute(work) {
        const rest = Array.from({ length: endpoints }, (_, member) => rank(member));
        if (rank(own) > Math.min(...rest)) throw new MemberSkipped('this member failed a moment ago, and another is to be asked');
        try {
          const result = await work({});
          failures.delete(own);
          return result;
        } catch (error) {
          if (error instanceof GRPCUnavailableError || error instanceof GRPCDeadlineExceededError)
            failures.set(own, { at: now(), order: ++order });
          throw error;
        }
      },
    };
  };
}
