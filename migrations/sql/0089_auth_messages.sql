-- What is shown of a refused key held the text of whichever host had answered. It is our own words from now on; the next call writes them.
update fleet.account set auth_message = null where auth_message is not null;
