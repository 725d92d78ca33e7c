import type { State as RunState } from '../messages'
import { state as word } from './run-words'

export const State = ({ state }: { state: RunState }) => (
  <span class={`state ${state}`}>{word(state)}</span>
)
