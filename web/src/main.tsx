import { render } from 'preact'
import { exchangeToken } from './shell/api'
import { App } from './shell/app'
import { parseRoute, route } from './shell/route'
import './style.css'

await exchangeToken()
route.value = parseRoute(location.hash)
render(<App />, document.body)
