import { z } from 'zod';
import { didYouMean } from '../../../../core/yaml/index.ts';

const protocols = ['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB', 'HTTPS', 'TLS', 'TCP', 'MONGO'] as const;

export type IstioProtocol = (typeof protocols)[number];

/** Of a port; as in Istio the case does not matter. */
export const protocol = z.string().transform((text, ctx): IstioProtocol => {
  const known = protocols.find((each) => each === text.toUpperCase());
  if (known !== undefined) return known;
  const udp = text.toUpperCase() === 'UDP' ? ': datagrams are not carried' : didYouMean(text, protocols);
  ctx.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 40))} is none of ${protocols.join(', ')}${udp}` });
  return z.NEVER;
});
