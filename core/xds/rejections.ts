import type { ResourceRejection } from './client-types.ts';
import type { Status } from './gen/google/rpc/status.ts';
import { Rejections } from './gen/isthmus/xds/v1/xds.ts';
import { rejectionsTypeUrl } from './type-urls.ts';

/** google.rpc.Code INVALID_ARGUMENT. */
const invalidArgument = 3;
const longestReason = 512;
const longestMessage = 4096;

/** A NACK's error detail: text for people and for foreign servers, the exact list for ours. */
export function nackStatus(rejections: readonly ResourceRejection[]): Status {
  const list = rejections.map(({ name, reason }) => ({ name, reason: reason.slice(0, longestReason) }));
  const message = list.map((r) => (r.name === '' ? r.reason : `${r.name}: ${r.reason}`)).join('; ');
  const value = Buffer.from(Rejections.encode({ rejections: list }).finish());
  return { code: invalidArgument, message: message.slice(0, longestMessage), details: [{ typeUrl: rejectionsTypeUrl, value }] };
}

/** Undefined when the NACK comes from a foreign client that does not list what it refused, or lists it unreadably. */
export function rejectionsOf(status: Status): readonly ResourceRejection[] | undefined {
  const detail = status.details.find((d) => d.typeUrl === rejectionsTypeUrl);
  if (detail === undefined) return undefined;
  try {
    return Rejections.decode(detail.value).rejections.map(({ name, reason }) => ({ name, reason: reason.slice(0, longestReason) }));
  } catch {
    return undefined;
  }
}
