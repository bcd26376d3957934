def greet():
    print "hello"
