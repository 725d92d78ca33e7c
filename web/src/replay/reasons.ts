import { said, t } from './replay-words'

/** Why an episode ended, in the reader's language where we know the word. */
export const reasonWord = (reason: string | null): string =>
  reason === null ? t('underWay') : (said.maybe(reason) ?? reason.replaceAll('_', ' '))
