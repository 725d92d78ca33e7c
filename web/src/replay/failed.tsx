/** Why nothing can be shown; before the first episode has ended that is no failure, and passes. */
import { useEffect, useRef } from 'preact/hooks'
import type { Overview } from '../messages'
import { at } from '../shell/api'
import { useAnswer } from '../shell/ask'
import { Failure, Notice, Waiting } from '../shell/notices'
import { t } from './replay-words'

const LOOK_MS = 3000

export function Failed({ run, error }: { run: string; error: unknown }) {
  const { value, failure } = useAnswer<Overview>(at`runs/${run}/overview`, {}, LOOK_MS).value
  const waited = useRef(false)
  const none = value?.episodes === 0
  useEffect(() => {
    if (waited.current && value && !none) location.reload()
    waited.current = none
  })
  if (!value && !failure) return <Waiting />
  return none ? <Notice title={t('noEpisodes')}>{t('noEpisodesSays')}</Notice> : <Failure error={error} />
}
