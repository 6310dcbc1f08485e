export type { ClaimsDocument, ClaimsExpression } from './claims-expression.ts';
export { expressionIn, maxExpressionLength, parseClaimsExpression } from './claims-expression.ts';
