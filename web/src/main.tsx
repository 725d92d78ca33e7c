import { render } from 'preact'
import { pages } from './pages'
import { exchangeToken } from './shell/api'
import { App } from './shell/app'
import { parseRoute, route } from './shell/route'
import './style.css'

await exchangeToken()
route.value = parseRoute(location.hash)
// While the frame around it is drawn, the page's own code comes; what fails is said where it is wanted.
const { page } = route.value
if (Object.hasOwn(pages, page)) pages[page]?.load().catch(() => undefined)
render(<App />, document.body)
