/** Why nothing can be shown, and where else to look; before the first episode has ended it is no failure, and passes. */
import { useEffect, useRef } from 'preact/hooks'
import type { Overview } from '../messages'
import { ApiError, at } from '../shell/api'
import { useAnswer } from '../shell/ask'
import { Failure, Notice, Waiting } from '../shell/notices'
import { href } from '../shell/route'
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
  if (none) return <Notice title={t('noEpisodes')}>{t('noEpisodesSays')}</Notice>
  const lost = error instanceof ApiError && error.code === 'steps'
  if (!lost && !(error instanceof ApiError && error.code === 'unknown')) return <Failure error={error} />
  return (
    <Notice title={t(lost ? 'noSteps' : 'noSuch')}>
      <p>{t(lost ? 'noStepsSays' : 'noSuchSays')}</p>
      <p class="ways"><a href={href('gallery', run)}>{t('gallery')}</a> {lost && <a href={href('health', run)}>{t('toHealth')}</a>}</p>
      <p class="muted found">{error.message}</p>
    </Notice>
  )
}
