local call, sub, pack, unpack_number = redis.call, string.sub, struct.pack, struct.unpack
local meta = KEYS[1]

-- The server's clock in milliseconds.
local function now()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[2])
end

local function number(bytes)
  if not bytes or #bytes < 8 then return 0 end
  return (unpack_number('>I8', bytes))
end

local function bytes(value)
  return pack('>I8', value)
end

local function restarted()
  return call('HGET', meta, 'run') ~= ARGV[1]
end

-- The epoch of a result, as 8 bytes; all bits are set where there is none. What is shorter
-- than any entry was not written by us, and is none.
local function epoch_of(entry)
  return entry and #entry >= 76 and sub(entry, 1, 8) or '\255\255\255\255\255\255\255\255'
end

-- The keys from one place to another (from 0, both included) in a string of keys.
local function cut(keys, first, last)
  local list = {}
  for i = first, last do list[i - first + 1] = sub(keys, i * 32 + 1, i * 32 + 32) end
  return list
end

-- Tell every reader. What is older than a minute is forgotten: who was away for longer
-- finds fewer entries than were counted, and looks at everything anew.
local function tell(news, sizes, items, tag)
  local time = call('TIME')
  local id = call('XADD', news, 'MINID', '~', (time[1] - 60) .. '000', '*', 'k', items, 'w', tag)
  return {id, call('HINCRBY', sizes, 'news', 1)}
end

-- Close an invalidate in parts that nobody has gone on with for a lease time.
local function close_if_dead(opening, epoch, news, sizes, lease)
  local open = call('GET', opening)
  if not open then return false end
  if now() - number(sub(open, 9, 16)) <= lease then return true end
  local last = sub(open, 1, 8)
  call('SET', epoch, last)
  call('DEL', opening)
  tell(news, sizes, '\6' .. string.rep('\0', 32) .. last, '')
  return false
end
