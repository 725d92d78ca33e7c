import { reason } from '../live/reason-words'
import { t } from './replay-words'

/** Why an episode ended, in the reader's language where we know the word. */
export const reasonWord = (told: string | null): string => (told === null ? t('underWay') : reason(told))
