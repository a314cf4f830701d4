-- Write tombstones: a few at once ('all'), or many under a number that is open meanwhile.
-- KEYS: meta tombs epoch opening news sizes
-- ARGV: run shift mode kind number lease-ms keys
-- Returns the number, 'BUSY' while another is open, 'LOST' when ours was closed.
if restarted() then return 'RESTARTED' end
local tombs, epoch, opening, news, sizes = KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local mode, kind, mine, keys = ARGV[3], ARGV[4], ARGV[5], ARGV[7]

local function write(last)
  local count = #keys / 32
  for first = 0, count - 1, 1000 do
    local list, pairs_ = cut(keys, first, math.min(first + 1000, count) - 1), {}
    for i = 1, #list do
      pairs_[2 * i - 1] = list[i]
      pairs_[2 * i] = last
    end
    call('HSET', tombs, unpack(pairs_))
  end
end

local function items(last)
  local list = cut(keys, 0, #keys / 32 - 1)
  for i = 1, #list do list[i] = kind .. list[i] .. last end
  return table.concat(list)
end

-- Never a number again that a restart has lost: the clock keeps it from coming back.
local function next_number()
  local time = call('TIME')
  return bytes(math.max(number(call('GET', epoch)) + 1, time[1] * 1000000 + time[2]))
end

if mode == 'all' or mode == 'open' then
  if close_if_dead(opening, epoch, news, sizes, tonumber(ARGV[6])) then return 'BUSY' end
  local last = next_number()
  write(last)
  if mode == 'all' then
    call('SET', epoch, last)
    tell(news, sizes, items(last), '')
  else
    call('SET', opening, last .. bytes(now()))
  end
  return last
end
local open = call('GET', opening)
if not open or sub(open, 1, 8) ~= mine then return 'LOST' end
write(mine)
if mode == 'more' then
  call('SET', opening, mine .. bytes(now()))
else
  call('SET', epoch, mine)
  call('DEL', opening)
  tell(news, sizes, '\6' .. string.rep('\0', 32) .. mine, '')
end
return mine
