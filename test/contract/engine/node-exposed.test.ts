import { NodeEngine } from '../../../gateway/engine/index.ts';
import { exposedSuite } from './exposed-suite.ts';

exposedSuite('node', (options, tables) => new NodeEngine(options, tables));
