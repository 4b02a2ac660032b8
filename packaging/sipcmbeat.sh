#!/bin/sh
# sipcmbeat with the folders of the package. Those of the command line come later and win.
exec /usr/lib/sipcmbeat/sipcmbeat --path.home /usr/share/sipcmbeat --path.config /etc/sipcmbeat \
	--path.data /var/lib/sipcmbeat --path.logs /var/log/sipcmbeat "$@"
