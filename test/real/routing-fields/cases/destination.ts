/** A DestinationRule whose trafficPolicy is this, in YAML's flow form. */
export function destination(host: string, policy: string, more = ''): string {
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${host}-policy}
spec:
  host: ${host}
  trafficPolicy: ${policy}
${more}`;
}

/** Of reviews. */
export const policy = (text: string, more = '') => destination('reviews', text, more);

/** A request fails where it is answered so: nothing is tried again. */
export const noRetries = `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
    - retries: {attempts: 0}
      route: [{destination: {host: reviews}}]
`;
