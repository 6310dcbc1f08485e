import { NodeEngine } from '../../../gateway/engine/index.ts';
import { forwardSuite } from './forward-suite.ts';

forwardSuite('node', (options, tables) => new NodeEngine(options, tables));
