from networks.cli import main

main()
