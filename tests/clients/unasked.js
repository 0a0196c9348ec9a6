// Prints whatever node-postgres is told unasked while it works: notices, a line each, until standard input closes.
// The connection comes from libpq's environment variables; with PGOPTIONS the client announces itself.
const { Client } = require('pg')

async function main() {
  const client = new Client({ options: process.env.PGOPTIONS })
  client.on('notice', (notice) => console.log(`notice ${notice.code}`))
  client.on('error', (error) => console.log(`error ${error.message}`))
  process.on('warning', (warning) => console.log(`warning ${warning.message}`))
  let over = false
  process.stdin.on('end', () => { over = true }).resume()
  await client.connect()
  while (!over) {
    await client.query('INSERT INTO unasked VALUES ($1)', ['node-postgres'])
    await client.query('SELECT count(*) FROM unasked')
    await new Promise((done) => setTimeout(done, 20))
  }
  await client.end()
}

main().catch((error) => { console.error(error); process.exit(1) })
